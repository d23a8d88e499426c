import os, re
import pytest
from tests.web import test_journeys
from tests.web.test_pictures_journey import *  # noqa
def look(self):
    os.makedirs("/tmp/shots", exist_ok=True)
    p=self.page; n=re.sub(r"[^a-z0-9]+","-",p.url.split("/",3)[3].lower())[:60]
    self.count=getattr(self,"count",0)+1
    p.wait_for_timeout(400)
    w=p.viewport_size["width"]; s=p.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    p.screenshot(path=f"/tmp/shots/{w}-{'dark' if s else 'light'}-{self.count:02d}-{n}.png", full_page=True)
    try: ORIG(self)
    except AssertionError as e:
        open("/tmp/shots/faults.txt","a").write(f"{w} {n}: {str(e)[:3000]}\n\n"); self.faults.clear()
ORIG=test_journeys.Visitor.look
test_journeys.Visitor.look=look
