"""What the service does, from one conversation's turn down to the engines it calls."""
