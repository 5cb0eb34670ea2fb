"""Pages: what a web page tells of itself (`head`), which part of it is a post (`body`), addresses
hidden from robots (`addresses`), and the text of a page as a browser saves it (`saved`)."""
