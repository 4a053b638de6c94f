# Not run yet. docker build -t augmentation-course . && docker run --rm -p 8888:8888 augmentation-course
FROM python:3.12-slim

# The lessons do not run as root, and write to their own folder only.
RUN useradd --create-home --uid 1000 student
WORKDIR /home/student/course
RUN chown student:student /home/student/course
USER student
ENV PATH=/home/student/venv/bin:$PATH PYTHONUNBUFFERED=1 COURSE_PROFILE=quick

# First what seldom changes, so that a changed lesson does not install everything again.
COPY --chown=student pyproject.toml README.md LICENSE requirements.txt constraints.txt ./
COPY --chown=student course_utils course_utils
RUN python -m venv /home/student/venv \
    && python -m pip install --no-cache-dir -r requirements.txt -c constraints.txt \
    && COURSE_DATA_DIR=synthetic python -m course_utils fetch

COPY --chown=student . .
EXPOSE 8888
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser", "notebooks"]
