"""Addresses of what members play and work towards, under /portal/PROGRAM/; a part of the portal's."""

from django.urls import path

from palier.web.portal.play import boards, earning, friends, games, giving, goals, offline, saving, support

urlpatterns = [
    path("goals", goals.goals, name="goals"),
    path("goals/<str:key>/join", goals.opt, name="opt"),
    path("quizzes/<str:key>", goals.quiz, name="quiz"),
    path("games/<str:key>", games.game, name="game"),
    path("games/<str:key>/plays/<str:once>", games.played, name="played"),
    path("rankings", boards.boards, name="boards"),
    path("rankings/name", boards.choose, name="choose_name"),
    path("friends", friends.friends, name="friends"),
    path("give", giving.give, name="give"),
    path("earn", earning.earn, name="earn"),
    path("rewards/<str:key>/save", saving.save_for, name="save_for"),
    path("questions", support.my_cases, name="cases"),
    path("questions/new", support.ask, name="ask"),
    path("questions/<str:ref>", support.case, name="case"),
    path("survey/<str:key>", support.survey, name="survey"),
    path("worker.js", offline.worker, name="worker"),
    path("offline", offline.shell, name="offline"),
    path("pocket", offline.pocket, name="pocket"),
]
