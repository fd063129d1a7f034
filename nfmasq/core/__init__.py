"""What goes into the compiled core and comes out of it, in plain Python."""
