"""THE GATE, in front of both doors: who may knock at all, who is it, and may they have what they ask for."""
