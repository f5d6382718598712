"""Labels for the features of a dictionary: by known truth, by classifiers, by text."""
