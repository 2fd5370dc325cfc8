☐ open
☑ done
