"""Published claims, judged by what runs hold."""
