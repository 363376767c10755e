"""From world clips and footage to what training reads: frames, latents, captions and their token states."""
