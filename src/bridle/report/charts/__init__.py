"""The report's charts: each takes frozen results and returns static SVG."""
