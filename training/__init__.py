"""Programs that make what Falconry ships. Nothing here is part of the installed package."""
