"""The page of a run: pictures, tables, and one HTML file that shows them."""
