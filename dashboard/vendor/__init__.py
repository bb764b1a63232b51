"""Third-party JavaScript that is copied into the page, unchanged, with its licences."""
