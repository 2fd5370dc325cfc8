—————

text

—————

—————

end
