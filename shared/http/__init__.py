"""HTTP's manners, the same in every service: bodies, problems, languages, lists, keys, health."""
