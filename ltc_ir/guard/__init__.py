"""What the guard works with: live programs captured, held against files, and recorded."""
