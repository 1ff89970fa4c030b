"""Write a serverless handler once; run it on any provider."""
