"""The design system: what every face is drawn with."""
