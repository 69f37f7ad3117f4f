"""What the specimen and the light do to an image of objects without atoms: grey values, illumination, speckle of a support."""
