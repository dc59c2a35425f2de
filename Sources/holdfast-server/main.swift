print("holdfast-server")
