"""The inks and the palette of every figure; they need no plotly."""

INK, MUTED, GRID, PAPER = "#222222", "#5f6368", "#e3e6ea", "#ffffff"

# Okabe and Ito's palette; black is kept for text, yellow is too pale on white.
BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE, GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#56B4E9",
    "#CC79A7",
    "#7a7a7a",
)
