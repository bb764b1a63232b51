"""Tables of languages, scripts and code points; README.md says where each comes from."""
