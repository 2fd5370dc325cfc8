`first second` end
