"""What is shipped: keys and signatures of releases, the bill of materials, licences."""
