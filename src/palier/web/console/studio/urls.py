"""Addresses of the studio, under /console/PROGRAM/studio/."""

from django.urls import path

from palier.web.console.studio import views

app_name = "studio"
urlpatterns = [
    path("", views.front, name="front"),
    path("begin", views.begin, name="begin"),
    path("drafts/<str:ref>", views.desk, name="desk"),
    path("drafts/<str:ref>/name", views.rename, name="rename"),
    path("drafts/<str:ref>/discard", views.discard, name="discard"),
    path("drafts/<str:ref>/saves", views.saves, name="saves"),
    path("drafts/<str:ref>/file", views.draft_file, name="file"),
    path("drafts/<str:ref>/publish", views.publish_draft, name="publish"),
    path("drafts/<str:ref>/backtest", views.backtest, name="backtest"),
    path("backtests/<str:ref>", views.run, name="run"),
    path("versions/<int:number>", views.version, name="version"),
    path("versions/<int:number>/file", views.version_file, name="version-file"),
    path("versions/<int:number>/publish", views.publish_version, name="publish-version"),
]
