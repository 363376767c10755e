"""What pixels show: networks from pictures to things with colour, shape and place. Knows no prompt and no truth."""
