"""Questions with right answers, from local files, and how an answer is read."""
