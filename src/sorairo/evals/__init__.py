"""What clips are worth: scores from pixels alone, beside real clips and clips of other prompts. Changes no model."""
