Use `​`​`​ to open a fence, and ~​~​~​ too.
