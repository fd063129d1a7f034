"""The compiled core, driven through `Table.translate`: no root, no kernel."""
