"""What breakers and limiters in the field do, as tables of lives that are lived again here."""
