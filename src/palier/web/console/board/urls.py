"""Addresses of the answers, below a program."""

from django.urls import path

from palier.web.console.board import boards, figures, pictures, rewards

urlpatterns = [
    path("", figures.overview, name="program"),
    path("cost", figures.cost, name="cost"),
    path("leaving", figures.leaving, name="leaving"),
    path("progress", figures.progress, name="progress"),
    path("brand", pictures.brand, name="brand"),
    path("rules", boards.rules, name="rules"),
    path("tiers", boards.tiers, name="tiers"),
    path("goals", boards.goals, name="goals"),
    path("campaigns", boards.campaigns, name="campaigns"),
    path("campaigns/<str:campaign>/pause", boards.pause, name="campaign-pause"),
    path("partners", boards.partners, name="partners"),
    path("games", boards.games, name="games"),
    path("rewards", rewards.rewards, name="rewards"),
    path("rewards/-/new", rewards.edit, name="reward-new"),
    path("rewards/-/judge", rewards.judge, name="reward-judge"),
    path("rewards/<str:reward>", rewards.reward, name="reward"),
    path("rewards/<str:reward>/picture", pictures.of_reward, name="reward-picture"),
    path("rewards/<str:reward>/edit", rewards.edit, name="reward-edit"),
]
