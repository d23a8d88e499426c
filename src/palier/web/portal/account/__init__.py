"""The account's side of the portal: the door, oneself, what one allows, is told and may ask for."""
