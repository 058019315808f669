"""Questions with right answers, read from local files, and how answers to them are graded."""
