"""Properties that hold whatever comes, tried on what hypothesis makes up."""
