"""The engine room: everything that can generate, behind one narrow interface (`base.Engine`)."""
