"""Images measured and fitted, MP4s checked, posters cut."""
