"""Of the rules about AWS, how they are asked, and how what they made goes again."""
