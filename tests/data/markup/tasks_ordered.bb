☐ first
☑ second
