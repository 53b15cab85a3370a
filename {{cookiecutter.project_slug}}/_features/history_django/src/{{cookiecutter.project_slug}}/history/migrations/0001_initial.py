from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Run",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("task_id", models.CharField(max_length=255)),
                ("task", models.CharField(max_length=255)),
                ("queue", models.CharField(max_length=255)),
                ("worker", models.CharField(max_length=255)),
                ("arguments", models.TextField(blank=True)),
                ("published", models.DateTimeField(null=True)),
                ("started", models.DateTimeField(null=True)),
                ("ended", models.DateTimeField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("succeeded", "succeeded"),
                            ("failed", "failed"),
                            ("retried", "retried"),
                            ("lost", "lost"),
                            ("rejected", "rejected"),
                            ("revoked", "revoked"),
                            ("expired", "expired"),
                            ("ignored", "ignored"),
                        ],
                        max_length=16,
                    ),
                ),
                ("retries", models.PositiveIntegerField()),
                ("error", models.TextField(blank=True)),
                ("trace_id", models.CharField(blank=True, max_length=32)),
            ],
            options={
                "ordering": ("-ended", "-id"),
                "indexes": [
                    models.Index(fields=["task_id"], name="run_task_id"),
                    models.Index(fields=["ended", "id"], name="run_ended"),
                    models.Index(fields=["task", "ended", "id"], name="run_task_ended"),
                    models.Index(fields=["outcome", "ended", "id"], name="run_outcome_ended"),
                    models.Index(
                        condition=models.Q(("trace_id", ""), _negated=True), fields=["trace_id"], name="run_trace_id"
                    ),
                ],
            },
        ),
    ]
