"""What members play and work towards: goals, games, rankings, friends, ways to earn, wishes, cases, surveys."""
