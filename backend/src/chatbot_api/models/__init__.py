"""The words of the service: what is asked, what is found, what is answered."""
