// The console's rail: open where there is room for it, behind one word where there is not.
const menu = document.querySelector(".console-menu");
const narrow = matchMedia("(width < 44rem)");
const fit = () => {
  if (menu) {
    menu.open = !narrow.matches;
  }
};
narrow.addEventListener("change", fit);
fit();
