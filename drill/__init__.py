"""The drill (演练): five things that go wrong on real servers, and how an operator frees what they stop."""
