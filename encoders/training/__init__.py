"""Training of the bundled models, as a feature: corpora, recipes, cards."""
