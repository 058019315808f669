"""Does it hold elsewhere: the edit under test put to stress, in its questions and in the data that it was made from."""
