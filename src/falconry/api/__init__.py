"""The door for programs: routes that speak JSON, and the guard in front of every route there is."""
