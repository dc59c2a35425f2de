import Testing

@Test("placeholder") func placeholderPlatform() {}
