"""One request at a portal: the guard before its view, marks on views, the login view, the charging of records."""
