"""The addresses under /widget/PROGRAM/."""

from django.urls import path

from palier.web.widget import views

app_name = "widget"

urlpatterns = [
    path("widget.js", views.script, name="script"),
    path("show", views.show, name="show"),
    path("sample", views.sample, name="sample"),
]
