"""The back office: signing in, its pages (Streamlit), what operators can do, health, tasks."""
