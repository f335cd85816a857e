"""Sessions and known devices: what stands in their cookies, and the rows behind it."""
